import { expect, test } from "vitest";
import { eventsUntil } from "../../../src/util/events-until.ts";

function source() {
  let listener: ((event: number) => void) | undefined;
  const subscribe = (own: (event: number) => void) => {
    listener = own;
    return () => {
      listener = undefined;
    };
  };
  return { subscribe, tell: (event: number) => listener?.(event), isHeard: () => listener !== undefined };
}

test("events come in order, those that nobody waited for too, and end with the work", async () => {
  const { subscribe, tell, isHeard } = source();
  let finish = () => {};
  const work = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const events = eventsUntil(subscribe, work);
  const first = events.next();
  for (const event of [1, 2, 3]) tell(event);
  expect((await first).value).toBe(1);
  finish();
  await work;
  expect([(await events.next()).value, (await events.next()).value]).toEqual([2, 3]);
  expect((await events.next()).done).toBe(true);
  expect(isHeard()).toBe(false);
});

test("a failure is thrown after the events before it; leaving the loop ends listening", async () => {
  const failing = source();
  const events = eventsUntil(failing.subscribe, Promise.reject(new Error("broken")));
  const first = events.next();
  failing.tell(1);
  expect((await first).value).toBe(1);
  await expect(events.next()).rejects.toThrow("broken");
  const left = source();
  const others = eventsUntil(left.subscribe, new Promise(() => {}));
  const next = others.next();
  left.tell(1);
  await next;
  await others.return();
  expect(left.isHeard()).toBe(false);
});
