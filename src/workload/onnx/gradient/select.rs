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

/// Names of the weights that may be trained.
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
        .filter(|name| only.is_empty() || only.contains(name))
        .filter(|name| !frozen.contains(name))
        .map(str::to_string)
        .collect())
}
