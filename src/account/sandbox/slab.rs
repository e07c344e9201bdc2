//! A slab: things that come and go, named by small keys that never mean a later thing in the same place.

/// Names a thing in a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

/// Things by key. Places are used again, so that a long simulation takes no more memory than a short one.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Keeps a thing.
    pub fn insert(&mut self, thing: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.1 = Some(thing);
        Key { index, generation: place.0 }
    }

    /// The thing, when it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        let place = &self.places[key.index as usize];
        if place.0 == key.generation { place.1.as_ref() } else { None }
    }

    /// The thing, when it is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = &mut self.places[key.index as usize];
        if place.0 == key.generation { place.1.as_mut() } else { None }
    }

    /// Takes the thing out; its key means nothing from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = &mut self.places[key.index as usize];
        if place.0 != key.generation {
            return None;
        }
        let thing = place.1.take()?;
        place.0 = place.0.wrapping_add(1);
        self.free.push(key.index);
        Some(thing)
    }

    /// Everything that is there.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|(_, thing)| thing.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_mean_a_new_thing() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(second), Some(&mut "second"));
        assert_eq!(slab.iter().count(), 1);
    }
}
