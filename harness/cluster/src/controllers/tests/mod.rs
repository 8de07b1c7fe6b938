//! The controllers together, on a held clock, with a kubelet that only knows good images and bad ones.

mod deployments;
mod world;

use world::World;
