"""What a secondary gets where that is not the zone itself: made beside the bundle, and kept."""
