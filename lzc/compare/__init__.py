"""PACKAGE lzc/compare"""
