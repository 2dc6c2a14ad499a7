//! Report to text. Decides nothing.
