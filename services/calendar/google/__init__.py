"""Calendar: the only room that speaks to Google."""
