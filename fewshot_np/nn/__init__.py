"""Arrays in, arrays out: primitives with hand-written derivatives, layers, networks, optimisers, trees."""
