"""The nano base model: its corpus (games and problems, careful and careless), its tokenizer, its pretraining."""
