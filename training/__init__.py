"""Networks with rectangular attention, trained on shapes with known masks; rows to disk."""
