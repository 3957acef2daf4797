//! The outside world behind traits: a specification goes in, a state comes out.
