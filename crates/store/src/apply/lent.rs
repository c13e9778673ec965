use std::ops::Deref;

/// A value of the batch, or one that was made in its place. Unlike `Cow` it is as small as a pointer: maps of a batch's records
/// move their values about.
pub(crate) enum Lent<'a, T> {
    Lent(&'a T),
    Own(Box<T>),
}

impl<T> Lent<'_, T> {
    pub fn own(value: T) -> Self {
        Self::Own(Box::new(value))
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Lent(value) => value,
            Self::Own(value) => value,
        }
    }
}
