"""What each command of law-rl does."""
