//! Plans: which mode and which minibatch size serve a problem best, and what limits that.

pub mod error;
pub mod evaluate;
pub mod exhaustive;
pub mod problem;

pub use error::{Amount, Infeasible, PlanError};
pub use evaluate::{Evaluation, evaluate};
pub use exhaustive::{Plan, exhaustive};
pub use problem::{Constraint, Job, Problem, ProblemError, Stream};
