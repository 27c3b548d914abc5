//! lapidary cuts tokenizers and polishes embeddings for one domain.
//!
//! The map, in the order in which modules may import each other (each only what stands above it;
//! `tests/behaviour/architecture.rs` holds the directions, `ARCHITECTURE.md` tells the reasons):

// How any work says how far it is: events, observers, clocks.
pub mod progress;
// Every job's parameters: default, range, unit and help, defined once.
pub mod settings;
// A workspace on disk: layout, configuration, versioned artifacts, lineage, cache.
pub mod workspace;

// Documents: reading, passages, near-duplicates, folds.
pub mod corpus;
// A trainable transformer encoder: configuration, layers, operators, pooling, weights.
pub mod encoder;
// Judging a ranking: metrics, significance, comparison of systems.
pub mod evaluation;
// Leaving lapidary: sentence-transformers folders, vectors, model cards.
pub mod export;
// Training pairs: structural, imported, filtered.
pub mod pairs;
// Ranking passages: exact vector search, BM25, fusion, negative mining.
pub mod retrieval;
// Tokenizers: loading, fragmentation, training.
pub mod tokenizer;
// Fine-tuning: losses, batches, optimizer, schedule, checkpoints, the loop.
pub mod training;

// The command line.
pub mod commands;
// One file a job: read the workspace, call the domain, write an artifact.
pub mod jobs;
// A job's life: run folder, lock, queue, event log, control, attach.
pub mod runs;
// The workbench: terminal, model, update, view, keymap, palette, panes, widgets.
pub mod tui;
