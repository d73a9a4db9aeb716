"""The ground floor: networks, images, the store and the engine; imports nothing of ours."""
