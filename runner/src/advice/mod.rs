//! Rules from evidence to the next step, in plain words.
