//! [`differentiate`]: a model to the files that train it.

use super::super::model::{Weight, encode_weights};
use super::error::{GradientError, Refusal};
use super::files::Files;
use super::graph::{Graph, Scope};
use super::groups;
use super::infer::infer;
use super::optimizer::update;
use super::read::Source;
use super::recipe::{BatchNorm, Recipe};
use super::select::trainable;
use super::summary::{Named, Summary};
use super::trace::{Forward, Tracing, forward, in_order};
use super::value::{Kind, Value};
use super::write::{Written, write};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

/// Reads the forward model `bytes` and makes its training graphs. `name` is for messages; `folder` is where
/// tensors that the model keeps in other files lie. Nothing is written.
pub fn differentiate(
    name: &str,
    bytes: &[u8],
    folder: Option<&Path>,
    recipe: &Recipe,
) -> Result<Files, GradientError> {
    recipe.check()?;
    let mut source = Source::read(name, bytes, folder, recipe.output.as_deref())?;
    let grouped = match recipe.batch_norm {
        BatchNorm::Group => groups::replace(&mut source)?,
        _ => 0,
    };
    let trainable = trainable(&source, recipe)?;
    let job = Job {
        source: &source,
        recipe,
        trainable: &trainable,
    };
    let train = job.train()?;
    let (trained, running) = (train.trained.clone(), train.running());
    let mut summary = job.summary(&train, grouped);
    let weights: Vec<Value> = in_order(&source, |name| {
        trained.iter().chain(&running).any(|value| value.name == *name)
    });
    let whole = train.forward.whole.clone();
    let open = source.fixed_batch(0).is_none() || job.works_for_any_batch();
    if !open {
        let note = "infer.onnx keeps the batch that the model was exported with; export it with an open one to \
                    serve requests";
        summary.notes.push(note.to_string());
    }
    let mut files = Vec::new();
    let mut add = |name: &'static str, written: Written| {
        summary.nodes.push((name.to_string(), written.nodes));
        files.push((name, written.bytes));
    };
    add("step.onnx", job.step(train)?);
    add("grad.onnx", job.grad()?);
    add("apply.onnx", job.apply(&trained)?);
    add("eval.onnx", job.eval(&weights)?);
    add("infer.onnx", infer(&source, &weights, &whole, open));
    let start = weights.iter().map(|value| Weight {
        name: value.name.to_string(),
        dims: value.dims.to_vec(),
        values: value
            .known
            .as_ref()
            .map(|known| known.to_floats())
            .unwrap_or_default(),
    });
    files.push(("weights.onnx", encode_weights(&start.collect::<Vec<_>>())));
    Ok(Files { files, summary })
}

struct Job<'a> {
    source: &'a Source,
    recipe: &'a Recipe,
    trainable: &'a HashSet<String>,
}

/// A graph with its backward part.
struct Train {
    forward: Forward,
    y: Value,
    loss: Value,
    trained: Vec<Value>,
    gradients: HashMap<Rc<str>, Value>,
}

impl Train {
    /// Running statistics that the graph changes.
    fn running(&self) -> Vec<Value> {
        self.forward
            .graph
            .running
            .iter()
            .map(|(state, _)| state.clone())
            .collect()
    }
}

impl Job<'_> {
    fn forward(&self, batch: i64, batch_statistics: bool) -> Result<Forward, GradientError> {
        let how = Tracing {
            batch,
            trainable: self.trainable,
            batch_statistics,
            part_of_loss: self.recipe.loss.contains(),
        };
        forward(self.source, how)
    }

    fn batch(&self) -> i64 {
        i64::from(self.recipe.micro_batch)
    }

    /// Whether the model's own nodes do without the batch it was exported with: they do if two other sizes
    /// fit.
    fn works_for_any_batch(&self) -> bool {
        let own = self.source.dims.first().copied().flatten().unwrap_or(1);
        let fits = |batch| self.forward(batch, false).is_ok();
        fits(own.saturating_add(1)) && fits(own.saturating_add(2))
    }

    fn train(&self) -> Result<Train, GradientError> {
        let mut forward = self.forward(self.batch(), self.recipe.batch_norm == BatchNorm::Batch)?;
        let nothing = || GradientError::NothingTrained {
            model: self.source.name.clone(),
        };
        if !forward.output.requires {
            return Err(nothing());
        }
        let measured = self.recipe.loss.measure(&mut forward.graph, &forward.output)?;
        let gradients = forward.graph.backward(&forward.output, measured.gradient)?;
        let trained = in_order(self.source, |name| {
            self.trainable.contains(&**name) && gradients.contains_key(name)
        });
        if trained.is_empty() {
            return Err(nothing());
        }
        let (y, loss) = (measured.y, measured.loss);
        Ok(Train {
            forward,
            y,
            loss,
            trained,
            gradients,
        })
    }

    fn step(&self, train: Train) -> Result<Written, GradientError> {
        let Train {
            mut forward,
            y,
            loss,
            trained,
            gradients,
        } = train;
        let graph = &mut forward.graph;
        graph.scope = scope("optimizer");
        let lr = scalar(graph, "lr")?;
        let pairs = trained.into_iter().filter_map(|weight| {
            let gradient = gradients.get(&weight.name)?.clone();
            Some((plain(weight), gradient))
        });
        let mut states = self.update(graph, &lr, pairs.collect())?;
        states.extend(std::mem::take(&mut graph.running));
        let mut inputs = vec![forward.x, y, lr];
        inputs.extend(states.iter().map(|(old, _)| old.clone()));
        Ok(write(forward.graph, "step", &inputs, outputs(Some(loss), states)))
    }

    fn grad(&self) -> Result<Written, GradientError> {
        let Train {
            mut forward,
            y,
            loss,
            trained,
            gradients,
        } = self.train()?;
        let graph = &mut forward.graph;
        graph.scope = scope("accumulate");
        let mut states = Vec::new();
        for weight in &trained {
            let sum = graph
                .declare(&format!("g.{}", weight.name), Kind::F32, weight.dims.to_vec())
                .map_err(building)?;
            if let Some(gradient) = gradients.get(&weight.name) {
                let new = graph.add(&sum, gradient).map_err(refused)?;
                states.push((sum, new));
            }
        }
        states.extend(std::mem::take(&mut graph.running));
        let mut inputs = vec![forward.x, y];
        inputs.extend(trained);
        inputs.extend(states.iter().map(|(old, _)| old.clone()));
        Ok(write(forward.graph, "grad", &inputs, outputs(Some(loss), states)))
    }

    fn apply(&self, trained: &[Value]) -> Result<Written, GradientError> {
        let reserved = trained.iter().map(|weight| weight.name.to_string()).collect();
        let mut graph = Graph::new(reserved);
        graph.recording = false;
        graph.scope = scope("optimizer");
        let (lr, scale) = (scalar(&mut graph, "lr")?, scalar(&mut graph, "scale")?);
        let (mut inputs, mut pairs) = (vec![lr.clone(), scale.clone()], Vec::new());
        for weight in trained {
            let dims = weight.dims.to_vec();
            let sum = graph
                .declare(&format!("g.{}", weight.name), Kind::F32, dims)
                .map_err(building)?;
            let gradient = graph.mul(&sum, &scale).map_err(refused)?;
            inputs.push(sum);
            pairs.push((plain(weight.clone()), gradient));
        }
        let states = self.update(&mut graph, &lr, pairs)?;
        inputs.extend(states.iter().map(|(old, _)| old.clone()));
        Ok(write(graph, "apply", &inputs, outputs(None, states)))
    }

    fn eval(&self, weights: &[Value]) -> Result<Written, GradientError> {
        let mut forward = self.forward(self.batch(), false)?;
        forward.graph.recording = false;
        let loss = self.recipe.loss;
        let measured = loss.measure(&mut forward.graph, &forward.output)?;
        let metric = loss
            .metric(&mut forward.graph, &forward.output, &measured)
            .map_err(refused)?;
        let mut inputs = vec![forward.x, measured.y];
        inputs.extend(weights.iter().cloned());
        let outputs = vec![
            (measured.loss, "loss".to_string()),
            (metric, "metric".to_string()),
        ];
        Ok(write(forward.graph, "eval", &inputs, outputs))
    }

    fn update(
        &self,
        graph: &mut Graph,
        lr: &Value,
        pairs: Vec<(Value, Value)>,
    ) -> Result<Vec<(Value, Value)>, GradientError> {
        update(graph, self.recipe, lr, pairs).map_err(refused)
    }

    fn summary(&self, train: &Train, grouped: usize) -> Summary {
        let named = |values: &[Value]| -> Vec<Named> {
            let each = values.iter().map(|value| Named {
                name: value.name.to_string(),
                dims: value.dims.to_vec(),
            });
            each.collect()
        };
        let running = train.running();
        let frozen: Vec<Value> = in_order(self.source, |name| {
            !train
                .trained
                .iter()
                .chain(&running)
                .any(|value| value.name == *name)
        });
        let frozen: Vec<Value> = frozen
            .into_iter()
            .filter(|value| value.kind == Kind::F32)
            .collect();
        let graph = &train.forward.graph;
        let mut notes = Vec::new();
        if graph.batch_norms > 0 {
            notes.push(match running.is_empty() {
                true => format!(
                    "{} batch normalisations use the running statistics of the file, which stay as they are",
                    graph.batch_norms
                ),
                false => format!(
                    "{} batch normalisations use the statistics of each micro-batch; the running ones follow",
                    graph.batch_norms
                ),
            });
        }
        if grouped > 0 {
            notes.push(format!(
                "{grouped} batch normalisations became group normalisations: the network computes something else than \
                 before and has to be trained"
            ));
        }
        if graph.dropouts > 0 {
            notes.push(format!("{} dropouts do nothing", graph.dropouts));
        }
        if let Some(op) = &train.forward.taken_over {
            notes.push(format!("the last {op} is part of the loss {}", self.recipe.loss));
        }
        for (old, new) in &self.source.renamed {
            notes.push(format!(
                "weight `{old}` is called `{new}`: its own name has a meaning in a training graph"
            ));
        }
        Summary {
            input: train.forward.x.dims.to_vec(),
            output: train.forward.output.dims.to_vec(),
            classes: train.y.kind == Kind::I64,
            labels: train.y.dims.to_vec(),
            trained: named(&train.trained),
            frozen: named(&frozen),
            running: named(&running),
            nodes: Vec::new(),
            notes,
        }
    }
}

fn scope(node: &str) -> Scope {
    Scope {
        op: node.to_string(),
        node: node.to_string(),
    }
}

fn scalar(graph: &mut Graph, name: &str) -> Result<Value, GradientError> {
    graph.declare(name, Kind::F32, Vec::new()).map_err(building)
}

/// A weight as an input: what it starts with is not part of the graph.
fn plain(weight: Value) -> Value {
    Value {
        known: None,
        ..weight
    }
}

/// The loss, then every state's new value.
fn outputs(loss: Option<Value>, states: Vec<(Value, Value)>) -> Vec<(Value, String)> {
    let loss = loss.map(|loss| (loss, "loss".to_string()));
    let states = states
        .into_iter()
        .map(|(old, new)| (new, format!("{}_out", old.name)));
    loss.into_iter().chain(states).collect()
}

fn building(reason: String) -> GradientError {
    refused(Refusal::Reason(reason))
}

fn refused(refusal: Refusal) -> GradientError {
    refusal.at("update", "optimizer")
}
