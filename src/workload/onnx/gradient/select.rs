//! Selection: which weights may be trained, by the user's names of layers.

use super::error::GradientError;
use super::read::{Source, node_name};
use super::recipe::Recipe;
use super::value::Kind;
use std::collections::{BTreeSet, HashSet};

/// Whether `name` is `layer` or stands below it.
fn below(name: &str, layer: &str) -> bool {
    name.strip_prefix(layer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
}

/// The weights that `layer` means: by their own names, or by the nodes that read them (`/layer1/conv1/Conv`
/// for `layer1.conv1`), since exporters rename some weights.
fn meant<'a>(source: &'a Source, layer: &str) -> HashSet<&'a str> {
    let weights = source.tensors.iter().map(|tensor| &*tensor.name);
    let mut found: HashSet<&str> = weights.filter(|name| below(name, layer)).collect();
    let path = layer.replace('.', "/");
    for node in &source.nodes {
        let name = node_name(node);
        if below(&name, layer) || below(name.trim_start_matches('/'), &path) {
            let inputs = node.input.iter().map(String::as_str);
            found.extend(inputs.filter(|input| source.tensors.iter().any(|tensor| *tensor.name == **input)));
        }
    }
    found
}

/// Whether `name` is one that PyTorch's newer exporter gives to a value of its own.
fn is_made(name: &str) -> bool {
    let number = name.strip_prefix("val_").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A single number that the exporter made: a constant of the model, the scale of an attention for one.
fn is_constant(source: &Source, name: &str) -> bool {
    let tensor = source.tensors.iter().find(|tensor| *tensor.name == *name);
    is_made(name) && tensor.is_some_and(|tensor| tensor.kind == Kind::F32 && tensor.elements() == 1)
}

/// Names of the weights that may be trained; a constant only where it is named.
pub(super) fn trainable(source: &Source, recipe: &Recipe) -> Result<HashSet<String>, GradientError> {
    let is_weight = |name: &str| {
        let tensor = source.tensors.iter().find(|tensor| *tensor.name == *name);
        tensor.is_some_and(|tensor| tensor.kind == Kind::F32 && tensor.rank() > 0 && tensor.elements() > 0)
    };
    let all = source.tensors.iter().map(|tensor| &*tensor.name);
    let all: Vec<&str> = all.filter(|name| is_weight(name)).collect();
    let named = |layers: &[String]| -> Result<HashSet<&str>, GradientError> {
        let mut found = HashSet::new();
        for layer in layers {
            let meant: Vec<&str> = meant(source, layer)
                .into_iter()
                .filter(|name| is_weight(name))
                .collect();
            if meant.is_empty() {
                let known: BTreeSet<&str> = all.iter().copied().collect();
                return Err(GradientError::Layers {
                    wanted: layer.clone(),
                    known: known.into_iter().take(20).map(str::to_string).collect(),
                });
            }
            found.extend(meant);
        }
        Ok(found)
    };
    let (only, frozen) = (named(&recipe.train_only)?, named(&recipe.freeze)?);
    Ok(all
        .into_iter()
        .filter(|name| only.contains(name) || (only.is_empty() && !is_constant(source, name)))
        .filter(|name| !frozen.contains(name))
        .map(str::to_string)
        .collect())
}
