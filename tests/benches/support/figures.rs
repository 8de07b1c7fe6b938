//! What is measured, and how it is shown.
#![expect(clippy::disallowed_macros, reason = "a bench prints its figures")]

use std::time::Duration;

use anyhow::Result;

use super::processes::Processes;

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    PerSecond,
    MebibytesPerSecond,
    Milliseconds,
    Mebibytes,
}

pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// The processor time that the server took for it, all its processes and threads.
    pub(crate) processor: Option<Duration>,
}

impl Figure {
    pub(crate) fn shown(&self) -> String {
        match self.unit {
            Unit::PerSecond => format!("{:.0}/s", self.value),
            Unit::MebibytesPerSecond => format!("{:.0} MiB/s", self.value),
            Unit::Milliseconds => format!("{:.1} ms", self.value),
            Unit::Mebibytes => format!("{:.0} MiB", self.value),
        }
    }
}

/// Measures, and asks the server what it took.
pub(crate) async fn figure(
    server: &Processes,
    what: impl Into<String>,
    measure: impl Future<Output = Result<Duration>>,
    value: impl FnOnce(Duration) -> (f64, Unit),
) -> Result<Figure> {
    let before = server.processor()?;
    let time = measure.await?;
    let processor = Some(server.processor()?.saturating_sub(before));
    let (value, unit) = value(time);
    Ok(Figure { what: what.into(), value, unit, processor })
}

pub(crate) fn per_second(count: usize) -> impl FnOnce(Duration) -> (f64, Unit) {
    move |time| (count as f64 / time.as_secs_f64(), Unit::PerSecond)
}

pub(crate) fn milliseconds(time: Duration) -> (f64, Unit) {
    (time.as_secs_f64() * 1e3, Unit::Milliseconds)
}

/// Of the same figures, measured again and again: of each the one in the middle, and of its processor times as well.
pub(crate) fn medians(rounds: Vec<Vec<Figure>>) -> Vec<Figure> {
    let mut columns: Vec<Vec<Figure>> = Vec::new();
    for round in rounds {
        columns.resize_with(round.len().max(columns.len()), Vec::new);
        columns.iter_mut().zip(round).for_each(|(column, figure)| column.push(figure));
    }
    let middle = |mut column: Vec<Figure>| {
        let mut processor: Vec<_> = column.iter().filter_map(|figure| figure.processor).collect();
        processor.sort();
        column.sort_by(|a, b| a.value.total_cmp(&b.value));
        let figure = column.swap_remove(column.len() / 2);
        Figure { processor: processor.get(processor.len() / 2).copied(), ..figure }
    };
    columns.into_iter().map(middle).collect()
}

/// What all of a server's processes keep in memory.
pub(crate) fn memory(server: &Processes, what: impl Into<String>) -> Result<Figure> {
    let value = server.memory()? as f64 / f64::from(1 << 20);
    Ok(Figure { what: what.into(), value, unit: Unit::Mebibytes, processor: None })
}

/// Prints a figure as soon as it is there, beside those of the table that comes at the end.
pub(crate) fn tell(who: &str, figure: &Figure) {
    eprintln!("{who}: {}: {}", figure.what, figure.shown());
}

/// Prints what one did beside the other; the last column is how much less processor time the servers took.
pub(crate) fn print(mode: &str, (us, ours): (&str, &[Figure]), (them, real): (&str, Option<&[Figure]>)) {
    println!("\n{:<44} {:>12} {:>16} {:>8} {:>10}", mode, us, them, "ratio", "processor");
    for (index, figure) in ours.iter().enumerate() {
        let other = real.and_then(|real| real.get(index));
        let ratio = other.map(|other| match figure.unit {
            Unit::PerSecond | Unit::MebibytesPerSecond => figure.value / other.value,
            Unit::Milliseconds | Unit::Mebibytes => other.value / figure.value,
        });
        let processor = other.and_then(|other| {
            Some(other.processor?.as_secs_f64() / figure.processor?.as_secs_f64().max(f64::EPSILON))
        });
        let shown = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}"));
        println!(
            "{:<44} {:>12} {:>16} {:>8} {:>10}",
            figure.what,
            figure.shown(),
            other.map_or_else(|| "-".to_owned(), Figure::shown),
            shown(ratio),
            shown(processor)
        );
    }
}
