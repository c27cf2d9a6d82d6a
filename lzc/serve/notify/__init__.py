"""PACKAGE lzc/serve/notify"""
