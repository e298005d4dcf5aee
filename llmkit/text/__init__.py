"""Pure text tools: normalising, sentences, ranking."""
