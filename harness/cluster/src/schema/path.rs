//! Where in an object a walk is. It costs nothing until somebody has to be told: nearly all objects are sound.

use std::fmt;

/// A path, from its end.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// The object itself.
    Root,
    /// A field, or a key of a map.
    Field(&'a Path<'a>, &'a str),
    /// An element of a list.
    Element(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    /// As in `spec.containers[0].name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(before, name) => write!(f, "{before}.{name}"),
            Path::Element(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}
