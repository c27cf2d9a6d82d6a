"""When a key is used: its dates, the steps that set them, and what they lead to."""
