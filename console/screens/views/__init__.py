"""What the screens say, worked out as lines from a `Moment`: pure, and tested without a terminal."""
