"""What several scores share: unit rows, products, rows across shards, simple scores."""
