//! Choosing what to drill: scenarios made concrete so that no two drills get in each other's way.

use std::{collections::BTreeSet, sync::Arc};

use pulldrill_scenarios::{Catalogue, Variant};

use crate::{BackendKind, LabError, LabOptions, backend::Missing};

/// How many seeds are tried for a drill before giving up.
const TRIES: u64 = 64;

/// The catalogue that the options name.
pub(crate) fn catalogue(options: &LabOptions) -> Result<Catalogue, LabError> {
    let loaded = match &options.scenario_dir {
        Some(path) => Catalogue::load_dir(path),
        None => Catalogue::embedded(),
    };
    loaded.map_err(|error| LabError::Scenario(error.to_string()))
}

/// The drills that the options name, in the order of their own names: that of the catalogue, which everybody
/// may read, would tell which drill is of which scenario.
pub(crate) fn variants(catalogue: &Catalogue, options: &LabOptions) -> Result<Vec<Arc<Variant>>, LabError> {
    for id in &options.scenarios {
        known(catalogue, id)?;
    }
    let wanted = |id: &str| options.scenarios.is_empty() || options.scenarios.iter().any(|s| s == id);
    let mut chosen = Vec::new();
    for scenario in catalogue.iter().filter(|scenario| wanted(scenario.id())) {
        let variant = one(catalogue, scenario.id(), options, &chosen)?;
        match options.backend.lacks(&variant) {
            None => chosen.push(Arc::new(variant)),
            // Nobody asked for it by name.
            Some(_) if options.scenarios.is_empty() => {}
            Some(reason) => return Err(unavailable(scenario.id(), &reason)),
        }
    }
    chosen.sort_by(|a, b| a.drill.cmp(&b.drill));
    Ok(chosen)
}

/// One more drill beside those that are there.
pub(super) fn one(
    catalogue: &Catalogue,
    id: &str,
    options: &LabOptions,
    others: &[Arc<Variant>],
) -> Result<Variant, LabError> {
    let scenario = catalogue.get(id).ok_or_else(|| unknown(catalogue, id))?;
    let (seed, placement) = (options.seed, options.backend.placement(catalogue, id));
    for nth in 0..TRIES {
        let variant = scenario
            .variant_at(seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9)), &placement)
            .map_err(|error| LabError::Scenario(error.to_string()))?;
        if others.iter().all(|other| names(other).is_disjoint(&names(&variant))) {
            return Ok(variant);
        }
    }
    Err(LabError::Invalid(format!("no seed near {seed} keeps scenario {id} apart from the other drills")))
}

/// Fails where a backend, of whose usual gifts some may be missing, can't give what a drill needs.
pub(super) fn possible(
    backend: &BackendKind,
    missing: &[Missing],
    variant: &Variant,
) -> Result<(), LabError> {
    let lacks = backend.lacks_beside(variant, missing);
    lacks.map_or(Ok(()), |reason| Err(unavailable(&variant.scenario, &reason)))
}

/// Those of the chosen drills that are possible after a look at the cluster; fails for one that was asked for by
/// name.
pub(super) fn still_possible(
    options: &LabOptions,
    missing: &[Missing],
    variants: Vec<Arc<Variant>>,
) -> Result<Vec<Arc<Variant>>, LabError> {
    let mut kept = Vec::new();
    for variant in variants {
        match possible(&options.backend, missing, &variant) {
            Ok(()) => kept.push(variant),
            Err(error) if options.scenarios.is_empty() => options.steps.begin(&format!("Left out: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

fn unavailable(id: &str, reason: &str) -> LabError {
    LabError::Invalid(format!("scenario {id} is not available here: {reason}"))
}

/// What a drill has to itself.
fn names(variant: &Variant) -> BTreeSet<String> {
    let mut names = BTreeSet::from([format!("drill/{}", variant.drill), format!("ns/{}", variant.namespace)]);
    for registry in &variant.registries {
        names.extend([format!("host/{}", registry.endpoint()), format!("address/{}", registry.address)]);
        if let Some(token) = &registry.token_host {
            names.extend([format!("host/{}", token.name), format!("address/{}", token.address)]);
        }
    }
    names
}

/// Fails for an id that is not in the catalogue.
pub(crate) fn known(catalogue: &Catalogue, id: &str) -> Result<(), LabError> {
    catalogue.get(id).map(drop).ok_or_else(|| unknown(catalogue, id))
}

fn unknown(catalogue: &Catalogue, id: &str) -> LabError {
    let known: Vec<&str> = catalogue.iter().map(pulldrill_scenarios::Scenario::id).collect();
    LabError::UnknownScenario { id: id.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drills_of_one_lab_share_nothing_whatever_the_seed() {
        let catalogue = Catalogue::embedded().unwrap();
        for seed in 0..50 {
            let options = LabOptions { seed, ..LabOptions::default() };
            let chosen = variants(&catalogue, &options).unwrap();
            let all: usize = chosen.iter().map(|variant| names(variant).len()).sum();
            let distinct: BTreeSet<String> = chosen.iter().flat_map(|variant| names(variant)).collect();
            assert_eq!(all, distinct.len(), "seed {seed}");
            assert!(chosen.is_sorted_by_key(|variant| &variant.drill), "seed {seed}");
        }
    }

    #[test]
    fn an_unknown_scenario_is_told_with_those_that_exist() {
        let catalogue = Catalogue::embedded().unwrap();
        let options = LabOptions { scenarios: vec!["nonsense".into()], ..LabOptions::default() };
        let error = variants(&catalogue, &options).unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("wrong-tag"), "{error}");
    }
}
