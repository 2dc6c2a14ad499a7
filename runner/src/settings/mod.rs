//! What was typed, made sense of: validated, merged, ready for the pipeline.
