"""PACKAGE lzc/serve/transport"""
