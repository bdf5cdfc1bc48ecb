"""Questions that several invariants share, each written once and tested on its own."""
