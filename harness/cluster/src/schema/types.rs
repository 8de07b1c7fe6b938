//! The types of the schema table: how they are written, and what they are called in Go, whose names appear in
//! the error texts that Kubernetes' clients show. Not the fields: those are in [`super::table`].

/// What a field, list element or map value holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// One of the plain or specially written values.
    Scalar(Scalar),
    /// An object (or wrapped list) with a definition of its own, by its index.
    Reference(usize),
    /// A list.
    List(Box<Type>),
    /// An object with arbitrary keys.
    Map(Box<Type>),
}

/// Values that are no objects with fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string, also where Go gives it a name of its own.
    String,
    /// A truth value.
    Bool,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// Bytes, written in base64.
    Bytes,
    /// An amount such as `500m` or `1Gi`.
    Quantity,
    /// A number or a string.
    IntOrString,
    /// A time in whole seconds.
    Time,
    /// A time in microseconds.
    MicroTime,
    /// Any JSON.
    Any,
}

impl Scalar {
    /// The scalar that the table calls `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "bool" => Self::Bool,
            "int32" => Self::Int32,
            "int" | "int64" => Self::Int64,
            "bytes" => Self::Bytes,
            "resource.Quantity" => Self::Quantity,
            "intstr.IntOrString" => Self::IntOrString,
            "meta.v1.Time" => Self::Time,
            "meta.v1.MicroTime" => Self::MicroTime,
            "runtime.RawExtension" | "meta.v1.FieldsV1" => Self::Any,
            _ => return None,
        })
    }
}

/// Reads the table's notation; `reference` finds definitions.
pub(super) fn parse(text: &str, reference: &dyn Fn(&str) -> Option<usize>) -> Option<Type> {
    if let Some(inner) = text.strip_prefix("[]") {
        return Some(Type::List(Box::new(parse(inner, reference)?)));
    }
    if let Some(inner) = text.strip_prefix("map[string]") {
        return Some(Type::Map(Box::new(parse(inner, reference)?)));
    }
    let base = text.split_once('=').map_or(text, |(_, base)| base);
    Scalar::named(base).map(Type::Scalar).or_else(|| reference(base).map(Type::Reference))
}

/// What Go prints for a type of the table: `[]core.v1.Container` is `[]v1.Container`.
pub(super) fn go_name(text: &str) -> String {
    for front in ["[]", "map[string]"] {
        if let Some(inner) = text.strip_prefix(front) {
            return format!("{front}{}", go_name(inner));
        }
    }
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    match name.split('.').collect::<Vec<_>>().as_slice() {
        ["bytes"] => "[]uint8".into(),
        [.., package, name] => format!("{package}.{name}"),
        _ => name.into(),
    }
}

/// The name of a definition without its package: `core.v1.Container` is `Container`.
pub(super) fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The type of one element of a list or map, in the table's notation.
pub(super) fn element(text: &str) -> &str {
    text.strip_prefix("[]").or_else(|| text.strip_prefix("map[string]")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_becomes_types_and_go_names() {
        let reference = |name: &str| (name == "core.v1.Container").then_some(7);
        let cases = [
            ("core.v1.PullPolicy=string", Type::Scalar(Scalar::String), "v1.PullPolicy"),
            ("[]core.v1.Container", Type::List(Box::new(Type::Reference(7))), "[]v1.Container"),
            ("map[string]bytes", Type::Map(Box::new(Type::Scalar(Scalar::Bytes))), "map[string][]uint8"),
            ("int32", Type::Scalar(Scalar::Int32), "int32"),
        ];
        for (text, ty, go) in cases {
            assert_eq!(parse(text, &reference), Some(ty), "{text}");
            assert_eq!(go_name(text), go);
        }
        assert_eq!(parse("core.v1.Unheard", &reference), None);
    }
}
