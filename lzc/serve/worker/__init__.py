"""PACKAGE lzc/serve/worker"""
