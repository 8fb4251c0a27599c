//! [`Summary`]: what was made of a model, for people.

/// A tensor's name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name in the written files.
    pub name: String,
    /// Its sizes.
    pub dims: Vec<i64>,
}

/// What was made of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Sizes of the input `x`, micro-batch first.
    pub input: Vec<i64>,
    /// Sizes of the output that the loss is taken of.
    pub output: Vec<i64>,
    /// Whether labels are classes (int64) or values (float32).
    pub classes: bool,
    /// Sizes of the labels `y`.
    pub labels: Vec<i64>,
    /// Weights that are trained.
    pub trained: Vec<Named>,
    /// Float tensors of the model that stay as they are.
    pub frozen: Vec<Named>,
    /// Running statistics that are part of the state.
    pub running: Vec<Named>,
    /// Each written model and its number of nodes.
    pub nodes: Vec<(String, usize)>,
    /// What the user should know: what became of batch normalisation and dropout, what was renamed.
    pub notes: Vec<String>,
}
