"""Models with every kind of relation, for test_django."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Shelf(models.Model):
    name = models.CharField(max_length=50, unique=True)
    capacity = models.PositiveIntegerField(default=10)


class Item(models.Model):
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, related_name="items")
    title = models.CharField(max_length=100, db_index=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    data = models.JSONField(default=dict)
    made = models.DateTimeField(auto_now_add=True)
    friends = models.ManyToManyField("self")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(price__gte=0), name="live_price_positive")]
