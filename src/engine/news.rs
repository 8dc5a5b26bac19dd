//! News for this job's records: what it has learnt goes into the record that it belongs to, else into new ones.

use super::remembering::kept_once;
use super::step::Step;
use super::view::{TARGETS_PER_RECORD, View};
use crate::ticket::Dispatch;

/// Writes `news`: those that belong to a record of this job into that one, the others into new records.
pub(super) fn written<T>(
    view: &View<'_>,
    mut news: Vec<T>,
    belongs: impl Fn(&Dispatch, &T) -> bool,
    put: impl Fn(&mut Dispatch, Vec<T>),
) -> Vec<Step> {
    let (mut steps, mut seq) = (Vec::new(), view.last_seq());
    for own in &view.known.own {
        let here: Vec<T> = news.extract_if(.., |of| belongs(&own.record, of)).collect();
        if here.is_empty() {
            continue;
        }
        seq += 1;
        let mut record = Dispatch { seq, ..own.record.clone() };
        put(&mut record, here);
        steps.push(view.write(Some(own.comment), record));
    }
    let mut records = Vec::new();
    while !news.is_empty() {
        seq += 1;
        let mut record = view.record(seq, Vec::new(), Vec::new());
        put(&mut record, news.drain(..news.len().min(TARGETS_PER_RECORD)).collect());
        records.push(record);
    }
    steps.extend(kept_once(records.into_iter()).map(|record| view.write(None, record)));
    steps
}
