//! The result as a document with a stable schema.
