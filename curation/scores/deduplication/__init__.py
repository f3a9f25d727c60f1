"""The two steps of ``duplicate_of``: clusters of images, and near duplicates within a cluster."""
