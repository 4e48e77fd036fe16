"""What happens over months, and when everything happens at once."""
