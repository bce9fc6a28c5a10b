"""How strong is a player: exact where the game allows it."""
