"""PACKAGE lzc/lua/syntax"""
