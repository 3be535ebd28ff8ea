//! Rows to learn from.

use crate::intent::table::{Column, Table, Track};

/// Moments at which a conversation is looked at, in messages of the visitor; `None` is its end.
pub const MOMENTS: [Option<usize>; 6] = [Some(1), Some(3), Some(5), Some(7), Some(9), None];

/// Rows to learn from: a table, or conversations with a row for each moment.
#[derive(Clone, Debug)]
pub struct Data {
    pub table: Table,
    /// Which conversation each row is of.
    pub groups: Option<Vec<usize>>,
    /// Which of [`MOMENTS`] each row is at; empty for a table.
    pub moments: Vec<usize>,
    /// Rows or conversations that were passed over because nobody says what came of them.
    pub unlabelled: usize,
}

impl Data {
    /// A row for each moment of each conversation, and one for its end. Those without a reported
    /// outcome are passed over.
    #[must_use]
    pub fn of_tracks(tracks: &[Track], like: Option<&[Column]>) -> Self {
        let known: Vec<Track> =
            tracks.iter().filter(|track| track.converted.is_some()).cloned().collect();
        Self { unlabelled: tracks.len() - known.len(), ..Self::at_all_moments(&known, like) }
    }

    /// A row for each moment of each conversation. Of those without a reported outcome the label
    /// means nothing.
    #[must_use]
    pub fn at_all_moments(tracks: &[Track], like: Option<&[Column]>) -> Self {
        let whole = Table::of_tracks(tracks, None, like);
        let table = Table { at_ms: whole.at_ms.as_ref().map(|_| Vec::new()), ..Table::default() };
        let mut data = Self { table, groups: Some(Vec::new()), moments: Vec::new(), unlabelled: 0 };
        for (moment, turns) in MOMENTS.into_iter().enumerate() {
            let seen = Table::of_tracks(tracks, turns, Some(&whole.columns));
            data.table.rows.extend(seen.rows);
            data.table.labels.extend(seen.labels);
            if let (Some(all), Some(moments)) = (&mut data.table.at_ms, seen.at_ms) {
                all.extend(moments);
            }
            data.groups.get_or_insert_default().extend(0..tracks.len());
            data.moments.extend(std::iter::repeat_n(moment, tracks.len()));
        }
        data.table.columns = whole.columns;
        data
    }

    /// Some of the rows, in the order given.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            table: self.table.select(rows),
            groups: self
                .groups
                .as_ref()
                .map(|groups| rows.iter().map(|row| groups[*row]).collect()),
            moments: rows.iter().filter_map(|row| self.moments.get(*row).copied()).collect(),
            unlabelled: self.unlabelled,
        }
    }

    /// The rows in time: the earlier part and the last `share` (0…1) of them. A conversation is in
    /// one part with all its moments. Without moments in time, the order of the file is taken for
    /// it.
    #[must_use]
    pub fn split_in_time(&self, share: f32) -> (Self, Self) {
        let group = |row: usize| self.groups.as_ref().map_or(row, |groups| groups[row]);
        let when =
            |row: usize| (self.table.at_ms.as_ref().map_or(0, |moments| moments[row]), group(row));
        let mut order: Vec<usize> = (0..self.table.len()).collect();
        order.sort_by_key(|row| when(*row));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share"
        )]
        let mut cut = (order.len() as f32 * (1.0 - share.clamp(0.0, 1.0))).round() as usize;
        while cut > 0 && cut < order.len() && group(order[cut]) == group(order[cut - 1]) {
            cut -= 1;
        }
        let (before, after) = order.split_at(cut);
        (self.select(before), self.select(after))
    }

    /// The rows after a moment; of rows without one, none.
    #[must_use]
    pub fn after(&self, moment_ms: u64) -> Self {
        let moments = self.table.at_ms.as_deref().unwrap_or_default();
        self.select(&(0..moments.len()).filter(|row| moments[*row] > moment_ms).collect::<Vec<_>>())
    }

    /// Rows that count once each: all of a table, the ends of conversations.
    #[must_use]
    pub fn ends(&self) -> Self {
        let end =
            |row: &usize| self.moments.get(*row).is_none_or(|moment| MOMENTS[*moment].is_none());
        self.select(&(0..self.table.len()).filter(end).collect::<Vec<_>>())
    }
}
