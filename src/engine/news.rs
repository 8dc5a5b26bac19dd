//! News for this job's records: each piece goes into the record that it belongs to, or else into a new one.

use super::remembering::keep_once;
use super::step::Step;
use super::view::{TARGETS_PER_RECORD, View};
use crate::ticket::Dispatch;

/// Writes `news` by `add`: into the record of this job for which `belongs` holds, the others into new records.
pub(super) fn write_news<T>(
    view: &View<'_>,
    mut news: Vec<T>,
    belongs: impl Fn(&Dispatch, &T) -> bool,
    add: impl Fn(&mut Dispatch, Vec<T>),
) -> Vec<Step> {
    let (mut steps, mut seq) = (Vec::new(), view.last_seq());
    for own in &view.facts.own_records {
        let own_news: Vec<T> = news.extract_if(.., |item| belongs(&own.record, item)).collect();
        if own_news.is_empty() {
            continue;
        }
        seq += 1;
        let mut record = Dispatch { seq, ..own.record.clone() };
        add(&mut record, own_news);
        steps.push(view.write(Some(own.comment), record));
    }
    let mut records = Vec::new();
    while !news.is_empty() {
        seq += 1;
        let mut record = view.record(seq, Vec::new(), Vec::new());
        add(&mut record, news.drain(..news.len().min(TARGETS_PER_RECORD)).collect());
        records.push(record);
    }
    steps.extend(keep_once(records.into_iter()).map(|record| view.write(None, record)));
    steps
}
