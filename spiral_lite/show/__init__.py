"""What a person sees: pure renderers of records, and thin shells around them."""
