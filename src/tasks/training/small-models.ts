/** Small models of some families, as their config.json says it: they train on a CPU. */
export const smallBert = {
  model_type: "bert",
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 512,
  max_position_embeddings: 128,
};

export const smallGpt2 = {
  model_type: "gpt2",
  n_embd: 128,
  n_layer: 4,
  n_head: 4,
  n_positions: 128,
};

export const smallT5 = {
  model_type: "t5",
  d_model: 128,
  d_kv: 32,
  d_ff: 512,
  num_layers: 2,
  num_decoder_layers: 2,
  num_heads: 4,
  feed_forward_proj: "gated-gelu",
  tie_word_embeddings: false,
};

export const smallBart = {
  model_type: "bart",
  d_model: 128,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 4,
  decoder_attention_heads: 4,
  encoder_ffn_dim: 512,
  decoder_ffn_dim: 512,
  max_position_embeddings: 256,
};
