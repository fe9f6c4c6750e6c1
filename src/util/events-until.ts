/**
 * Events one by one as they come, until the work that they tell of has ended; its failure is thrown at the end.
 * @param subscribe - is given who listens, and returns how it stops to
 */
export async function* eventsUntil<Event>(
  subscribe: (listener: (event: Event) => void) => () => void,
  work: Promise<unknown>,
): AsyncGenerator<Event, void, undefined> {
  const events: Event[] = [];
  let wake = () => {};
  let ended = false;
  const end = work.finally(() => {
    ended = true;
    wake();
  });
  // Nobody may have come to the end of the loop yet.
  end.catch(() => {});
  const unsubscribe = subscribe((event) => {
    events.push(event);
    wake();
  });
  try {
    for (;;) {
      const event = events.shift();
      if (event !== undefined) yield event;
      else if (ended) break;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    await end;
  } finally {
    unsubscribe();
  }
}
