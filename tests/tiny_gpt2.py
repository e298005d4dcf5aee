"""A causal language model small enough for a test, whose next tokens are not all alike."""

from __future__ import annotations

from pathlib import Path

END = "<|end|>"


def write_tiny_gpt2(place: Path, text: str, *, positions: int, seed: int) -> Path:
    """Write a GPT-2 of two small layers with seeded weights, and a byte-level tokenizer trained on ``text``."""
    import torch
    import transformers as hf
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([text] * 4, vocab_size=330, special_tokens=[END], show_progress=False)
    tokenizer.save(str(place / "raw.json"))
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_file=str(place / "raw.json"), bos_token=END, eos_token=END, model_max_length=positions
    )
    fast.save_pretrained(place)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = hf.GPT2Config(
        vocab_size=len(fast), n_positions=positions, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = hf.GPT2LMHeadModel(config)
    with torch.no_grad():
        for weights in model.parameters():  # the usual small weights make every next token nearly as likely
            if weights.dim() > 1:
                weights.mul_(8.0)
    model.save_pretrained(place)
    return place
