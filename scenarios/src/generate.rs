//! Draws the values of a variant's parameters. Each has a random series of its own, so that adding one changes no other.

use std::collections::BTreeMap;

use pulldrill_clock::seed::{Rng, rng};
use rand::RngExt;
use serde_json::Value;

use crate::model::{Generator, Parameter};
use crate::render::Renderer;

/// Letters and digits that nobody mistakes for each other.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";

/// The values of all parameters; those that are `given` are not drawn. The error says which parameter and what
/// is wrong.
pub(crate) fn values(
    scenario: &str,
    parameters: &[Parameter],
    seed: u64,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut values = BTreeMap::new();
    for parameter in parameters {
        if let Some(value) = given.get(&parameter.name) {
            values.insert(parameter.name.clone(), value.clone());
            continue;
        }
        let mut rng = rng(seed, &format!("scenario/{scenario}/{}", parameter.name));
        let value = match &parameter.value {
            Generator::Template(template) => Value::String(
                Renderer::new(&values)
                    .text(template)
                    .map_err(|error| format!("parameter {}: {error}", parameter.name))?,
            ),
            generator => draw(generator, &mut rng),
        };
        values.insert(parameter.name.clone(), value);
    }
    Ok(values)
}

fn draw(generator: &Generator, rng: &mut Rng) -> Value {
    match generator {
        Generator::Choice(options) if options.is_empty() => Value::Null,
        Generator::Choice(options) => Value::String(options[rng.random_range(0..options.len())].clone()),
        Generator::Integer { from, to } => Value::from(rng.random_range(*from..=*to.max(from))),
        Generator::Digits(count) => {
            let first = text(1, b"123456789", rng);
            Value::String(first + &text(count.saturating_sub(1), b"0123456789", rng))
        }
        Generator::Hex(count) => Value::String(text(*count, b"0123456789abcdef", rng)),
        Generator::Letters(count) => Value::String(text(*count, LETTERS, rng)),
        Generator::Template(template) => Value::String(template.clone()),
    }
}

fn text(count: u8, alphabet: &[u8], rng: &mut Rng) -> String {
    (0..count).map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, value: Generator) -> Parameter {
        Parameter { name: name.to_owned(), value }
    }

    #[test]
    fn a_parameter_keeps_its_value_when_others_come_and_go() {
        let wanted = parameter("account", Generator::Digits(12));
        let alone = values("x", std::slice::from_ref(&wanted), 7, &BTreeMap::new()).unwrap();
        let beside =
            values("x", &[parameter("other", Generator::Hex(8)), wanted], 7, &BTreeMap::new()).unwrap();
        assert_eq!(alone["account"], beside["account"]);
        assert_eq!(alone["account"].as_str().unwrap().len(), 12);
    }

    #[test]
    fn templates_see_the_parameters_before_them() {
        let list = [
            parameter("n", Generator::Integer { from: 3, to: 3 }),
            parameter("next", Generator::Template("v{{ n + 1 }}".to_owned())),
        ];
        assert_eq!(values("x", &list, 1, &BTreeMap::new()).unwrap()["next"], "v4");
        let given = BTreeMap::from([("n".to_owned(), Value::from(7))]);
        assert_eq!(values("x", &list, 1, &given).unwrap()["next"], "v8");
        let backwards = [parameter("next", Generator::Template("{{ n }}".to_owned()))];
        assert!(values("x", &backwards, 1, &BTreeMap::new()).unwrap_err().contains("parameter next"));
    }
}
