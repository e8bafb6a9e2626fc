//! The sentence from end to end.
