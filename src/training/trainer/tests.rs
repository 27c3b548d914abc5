//! Whole trainings.

mod readings;
