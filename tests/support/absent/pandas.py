"""What only the tests need: the processes that they start do without it, as a desk does."""

raise ImportError("not installed beside Andon")
