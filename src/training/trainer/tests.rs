//! Whole trainings of small encoders.

mod readings;
mod whole;
