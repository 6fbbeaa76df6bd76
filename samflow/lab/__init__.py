"""How the project knows what it knows: synthetic clips, training, benchmark, lesson, demo."""
