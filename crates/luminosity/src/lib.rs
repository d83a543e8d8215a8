pub mod condition;
pub mod error;
pub mod model;
pub mod optimizer;
pub use error::Error;
pub mod data;
pub mod figure;
